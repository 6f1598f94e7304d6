# FLIR ADAS, aligned release: 4,129 training and 1,013 validation images of 640x512, also
# used for testing. Version 1 fits too: the same three classes. Convert once:
#     python tools/dataset_converters/convert_dataset.py flir SRC data/coco/flir_aligned
# DUGI_COCO names another folder than data/coco.
_base_ = './infrared-coco_detection.py'
data_root = '{{$DUGI_COCO:data/coco}}/flir_aligned'
dataset = dict(data_root=data_root, metainfo=dict(classes=('person', 'bicycle', 'car')))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/val.json')
test_evaluator = val_evaluator
