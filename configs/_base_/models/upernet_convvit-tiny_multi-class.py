# UPerNet over the tiny encoder for several classes: trained on crops, tested in windows
# of 512 pixels that overlap by a third.
_base_ = './upernet_convvit-tiny.py'
model = dict(test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)))
