# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 7, table 3, and data/CoMHE_slides.pdf page 4.
# Two lines where the schedule is not known: 42,500 steps, then 75,000.
# Powers are concluded from that of CNN-9; the weights of full-space MHE are those of its logs.
# 32.08  Baseline, CNN-6; 42,500 and 75,000 steps
python train.py --depth 6 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 6 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 28.16  MHE, CNN-6
python train.py --depth 6 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.56  Half-space MHE, CNN-6
python train.py --depth 6 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.73  RP-CoMHE, CNN-6; 42,500 and 75,000 steps
python train.py --depth 6 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 6 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500
# 26.55  AP-CoMHE, CNN-6; 42,500 and 75,000 steps
python train.py --depth 6 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 6 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500
# 28.13  Baseline, CIFAR-100; 42,500 and 75,000 steps
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 26.75  MHE, 64/128/256
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.96  Half-space MHE, 64/128/256
python train.py --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 24.39  RP-CoMHE, CNN-9; 42,500 and 75,000 steps
python train.py --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500
# 24.33  AP-CoMHE, CNN-9; 42,500 and 75,000 steps
python train.py --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500
# not converged  Baseline, CNN-15; 42,500 and 75,000 steps
python train.py --depth 15 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 15 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 26.90  MHE, CNN-15
python train.py --depth 15 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.84  Half-space MHE, CNN-15
python train.py --depth 15 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 24.21  RP-CoMHE, CNN-15; 42,500 and 75,000 steps
python train.py --depth 15 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 15 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500
# 24.55  AP-CoMHE, CNN-15; 42,500 and 75,000 steps
python train.py --depth 15 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --depth 15 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500
