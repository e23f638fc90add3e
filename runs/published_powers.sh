# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 7, table 1.
# Two lines where the schedule is not known: 42,500 steps, then 75,000.
# 7.75  Baseline, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 6.22  MHE, CIFAR-10, s = 2; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power 2 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power 2 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.74  MHE, CIFAR-10, s = 1; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power 1 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power 1 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.44  MHE, CIFAR-10, s = 0; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.28  Half-space MHE, CIFAR-10, s = 2; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.54  Half-space MHE, CIFAR-10, s = 1; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.30  Half-space MHE, CIFAR-10, s = 0; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power 0 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.21  A-MHE, CIFAR-10, s = 2; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power a2 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power a2 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.77  A-MHE, CIFAR-10, s = 1; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power a1 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power a1 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.45  A-MHE, CIFAR-10, s = 0; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer mhe --power a0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer mhe --power a0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.52  Half-space A-MHE, CIFAR-10, s = 2; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power a2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power a2 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.49  Half-space A-MHE, CIFAR-10, s = 1; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power a1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power a1 --random_seed 345 --op_seeds by_name --energy_every 500
# 6.44  Half-space A-MHE, CIFAR-10, s = 0; 42,500 and 75,000 steps
python train.py --dataset cifar10 --regularizer half_mhe --power a0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --regularizer half_mhe --power a0 --random_seed 345 --op_seeds by_name --energy_every 500
# 28.13  Baseline, CIFAR-100; 42,500 and 75,000 steps
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 27.15  MHE, CIFAR-100, s = 2
python train.py --regularizer mhe --power 2 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.09  MHE, CIFAR-100, s = 1
python train.py --regularizer mhe --power 1 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.16  MHE, CIFAR-100, s = 0
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.61  Half-space MHE, CIFAR-100, s = 2
python train.py --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.30  Half-space MHE, CIFAR-100, s = 1
python train.py --regularizer half_mhe --power 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.18  Half-space MHE, CIFAR-100, s = 0
python train.py --regularizer half_mhe --power 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.17  A-MHE, CIFAR-100, s = 2
python train.py --regularizer mhe --power a2 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.31  A-MHE, CIFAR-100, s = 1
python train.py --regularizer mhe --power a1 --energy_weight 0.01 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.90  A-MHE, CIFAR-100, s = 0
python train.py --regularizer mhe --power a0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.03  Half-space A-MHE, CIFAR-100, s = 2
python train.py --regularizer half_mhe --power a2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.52  Half-space A-MHE, CIFAR-100, s = 1
python train.py --regularizer half_mhe --power a1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.47  Half-space A-MHE, CIFAR-100, s = 0
python train.py --regularizer half_mhe --power a0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
