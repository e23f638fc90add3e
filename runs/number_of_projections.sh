python train.py --regularizer random --pd 40 --pn 1 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 5 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 10 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 20 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 30 --random_seed 345 --op_seeds by_name --energy_every 500
python train.py --regularizer random --pd 40 --pn 80 --random_seed 345 --op_seeds by_name --energy_every 500
