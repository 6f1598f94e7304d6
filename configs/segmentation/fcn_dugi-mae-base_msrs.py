# FCN over the pre-trained base encoder on MSRS: the second head's settings, on the four
# maps at F1's size. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = './upernet_dugi-mae-base_msrs.py'
model = dict(
    decode_head=dict(
        _base_.model.auxiliary_head,
        _delete_=True,
        in_channels=_base_.channels.base,
        in_index=[0, 1, 2, 3],
        input_transform='resize_concat',
        num_convs=2,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
