# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 7, table 2.
# Two lines where the schedule is not known: 42,500 steps, then 75,000.
# Powers are concluded from the middle column; the weights of full-space MHE are those of its logs.
# 47.72  Baseline, 16/32/64; 42,500 and 75,000 steps
python train.py --width 0.25 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --width 0.25 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 36.84  MHE, 16/32/64
python train.py --width 0.25 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 35.16  Half-space MHE, 16/32/64
python train.py --width 0.25 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 38.64  Baseline, 32/64/128; 42,500 and 75,000 steps
python train.py --width 0.5 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --width 0.5 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 30.05  MHE, 32/64/128
python train.py --width 0.5 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 29.33  Half-space MHE, 32/64/128
python train.py --width 0.5 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 28.13  Baseline, CIFAR-100; 42,500 and 75,000 steps
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 26.75  MHE, 64/128/256
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.96  Half-space MHE, 64/128/256
python train.py --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 24.95  Baseline, 128/256/512; 42,500 and 75,000 steps
python train.py --width 2 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --width 2 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 24.05  MHE, 128/256/512
python train.py --width 2 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 23.38  Half-space MHE, 128/256/512
python train.py --width 2 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.45  Baseline, 256/512/1024; 42,500 and 75,000 steps
python train.py --width 4 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --width 4 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 23.14  MHE, 256/512/1024
python train.py --width 4 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 21.83  Half-space MHE, 256/512/1024
python train.py --width 4 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
