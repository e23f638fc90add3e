python train.py --regularizer random --random_seed 1234
python train.py --regularizer angle --random_seed 345
python train.py --regularizer adversarial --random_seed 3456
