# HIT-UAV at its own size, 640x512. Its JSON is not COCO; convert it once, from the folder
# that holds normal_json:
#     python tools/dataset_converters/convert_dataset.py hit-uav SRC data/coco/hit_uav
# That writes data/coco/hit_uav/annotations/{train,val}.json (and test.json where the
# source has a test split) and makes data/coco/hit_uav/images a link to the source. For
# an OUT elsewhere set DUGI_COCO to the folder around it, or data_root of each data set
# and ann_file of both evaluators. DontCare is no class. Papers report the test split:
# set test_dataloader.dataset.ann_file and test_evaluator.ann_file to test.json.
_base_ = './infrared-coco_detection.py'
data_root = '{{$DUGI_COCO:data/coco}}/hit_uav'
dataset = dict(
    data_root=data_root,
    metainfo=dict(classes=('Person', 'Car', 'Bicycle', 'OtherVehicle')),
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/val.json')
test_evaluator = val_evaluator
