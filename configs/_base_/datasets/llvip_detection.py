# LLVIP, infrared half: 12,025 training and 3,463 test images of 1280x1024; pedestrians are
# large, so 960x768, at the scales of M3FD, loses little. There is no validation split: the
# test split is watched during training, and the last checkpoint is the one to report.
# Convert once:
#     python tools/dataset_converters/convert_dataset.py llvip SRC data/coco/llvip
# DUGI_COCO names another folder than data/coco.
_base_ = './m3fd-inf_detection.py'
data_root = '{{$DUGI_COCO:data/coco}}/llvip'
dataset = dict(data_root=data_root, metainfo=dict(classes=('person',)))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dict(dataset, ann_file='annotations/test.json'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/test.json')
test_evaluator = val_evaluator
