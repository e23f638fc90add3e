# The papers' claim on a network of a quarter of the width, 42,500 steps: test errors (%) of
# data/MHE_slides.pdf page 7, table 2, github.com/rmlin/rmlin.github.io. Two seeds.
# 47.72  Baseline, 16/32/64
python train.py --regularizer none --width 0.25 --op_seeds by_name --random_seed 345 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer none --width 0.25 --op_seeds by_name --random_seed 346 --max_steps 42500 --lr_drops 20000,30000,37500
# 36.84  MHE, 16/32/64; power 0 is concluded, 2 is this project's default
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --width 0.25 --op_seeds by_name --random_seed 345 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --width 0.25 --op_seeds by_name --random_seed 346 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --energy_weight 0.1 --output_energy_weight 1 --width 0.25 --op_seeds by_name --random_seed 345 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --energy_weight 0.1 --output_energy_weight 1 --width 0.25 --op_seeds by_name --random_seed 346 --max_steps 42500 --lr_drops 20000,30000,37500
# 35.16  Half-space MHE, 16/32/64
python train.py --regularizer half_mhe --width 0.25 --op_seeds by_name --random_seed 345 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --width 0.25 --op_seeds by_name --random_seed 346 --max_steps 42500 --lr_drops 20000,30000,37500
# not published  RP-CoMHE, 16/32/64
python train.py --regularizer random --width 0.25 --op_seeds by_name --random_seed 345 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer random --width 0.25 --op_seeds by_name --random_seed 346 --max_steps 42500 --lr_drops 20000,30000,37500
