# The recipe chosen with `irstd_dugi-mae-tiny_sirst-train.py`, on the training and
# validation splits together. Nothing is left to choose a checkpoint by: the last counts.
# Name the encoder's file with --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = './irstd_dugi-mae-tiny_sirst-train.py'
train_dataloader = dict(dataset=dict(ann_file='idx_427/trainval.txt'))
val_dataloader = None
val_evaluator = None
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
