# The same for the tiny encoder, in an eighth of the iterations.
_base_ = './seg_adamw_160k.py'
train_cfg = dict(max_iters=20000, val_interval=2000)
