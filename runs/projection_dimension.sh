python train.py --regularizer random --pd 10 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 20 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 30 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 80 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
