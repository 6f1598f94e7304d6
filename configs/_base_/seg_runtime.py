_base_ = './default_runtime.py'
custom_imports = dict(imports=['dugi_mae.mmseg'], allow_failed_imports=False)
default_scope = 'mmseg'
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=2000),
    visualization=dict(
        type='SegVisualizationHook', backend_args=dict(backend='infrared')
    ),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer', alpha=0.4
)
log_processor = dict(by_epoch=False)
tta_model = dict(type='SegTTAModel')
