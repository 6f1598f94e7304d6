# FCN over the tiny encoder for several classes: the four maps at F1's size, and a second
# head on F3 during training. Tested in windows of 512 pixels that overlap by a third.
_base_ = './upernet_convvit-tiny_multi-class.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        input_transform='resize_concat',
        num_convs=2,
        concat_input=False,
        **_base_.four_maps,
    ),
)
