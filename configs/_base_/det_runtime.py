_base_ = './default_runtime.py'
custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)
default_scope = 'mmdet'
default_hooks = dict(
    checkpoint=dict(interval=1, save_best='coco/bbox_mAP', rule='greater'),
    # Raises where a head has another number of classes than the data.
    num_class_check=dict(type='NumClassCheckHook'),
    visualization=dict(
        type='DetVisualizationHook', backend_args=dict(backend='infrared')
    ),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(by_epoch=True)
tta_model = dict(
    type='DetTTAModel',
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=300),
)
# Statistics of all processes: each has two images only.
sync_bn = 'torch'
