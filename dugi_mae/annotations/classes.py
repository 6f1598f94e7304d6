"""Class names of public infrared sets, in the order of their labels."""

#: HIT-UAV. ``DontCare`` is left out: pycocotools lets a crowd box excuse detections of
#: its own class only, so as a class of its own it would do nothing in an evaluation
#: that has four classes, and mmdet's assigners leave ignored boxes alone unless told
#: otherwise.
HIT_UAV = ('Person', 'Car', 'Bicycle', 'OtherVehicle')
M3FD = ('People', 'Car', 'Bus', 'Motorcycle', 'Lamp', 'Truck')
LLVIP = ('person',)
#: FLIR ADAS, aligned release and version 1; papers drop the few dogs.
FLIR = ('person', 'bicycle', 'car')
FLIR_V2 = (
    *('person', 'bike', 'car', 'motor', 'bus', 'train', 'truck', 'light', 'hydrant'),
    *('sign', 'dog', 'skateboard', 'stroller', 'scooter', 'other vehicle'),
)
DRONEVEHICLE = ('car', 'truck', 'bus', 'van', 'freight car')
#: MSRS and MFNet.
MSRS = (
    *('unlabelled', 'car', 'person', 'bike', 'curve'),
    *('car_stop', 'guardrail', 'color_cone', 'bump'),
)
#: RGB, as in the authors' own pictures.
MSRS_PALETTE = (
    *((0, 0, 0), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 192)),
    *((128, 128, 0), (64, 64, 128), (192, 128, 128), (192, 64, 0)),
)
SODA = (
    *('_background_', 'person', 'building', 'tree', 'road', 'pole', 'grass', 'door'),
    *('table', 'chair', 'car', 'bicycle', 'lamp', 'monitor', 'trafficCone'),
    *('trash can', 'animal', 'fence', 'sky', 'river', 'sidewalk'),
)
