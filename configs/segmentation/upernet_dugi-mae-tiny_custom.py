# UPerNet over the pre-trained tiny encoder on a set of your own: copy this file and set
# data_root and classes, in the order of the label values 0, 1, ... Name the encoder's
# file with --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/upernet_convvit-tiny.py',
    '../_base_/datasets/custom_512x512.py',
    '../_base_/schedules/seg_adamw_20k.py',
    '../_base_/seg_runtime.py',
]
data_root = '{{$DUGI_DATA:../shared/data}}/my_set'
classes = ('background', 'person', 'car')
model = dict(
    decode_head=dict(num_classes=len(classes)),
    auxiliary_head=dict(num_classes=len(classes)),
)
dataset = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
