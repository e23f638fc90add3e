# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/CoMHE_slides.pdf page 4; three rows are in data/MHE_slides.pdf page 9, table 5, too.
# Two lines where the schedule is not known: 42,500 steps, then 75,000.
# ResNet-32, orthogonal and srip with their weights are this project's: the authors released none of them.
# 5.19  Baseline, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 22.87  Baseline, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer none --random_seed 345 --op_seeds by_name --energy_every 500
# 5.02  Orthogonal, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer orthogonal --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer orthogonal --random_seed 345 --op_seeds by_name --energy_every 500
# 22.36  Orthogonal, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer orthogonal --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer orthogonal --random_seed 345 --op_seeds by_name --energy_every 500
# 4.75  SRIP, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer srip --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer srip --random_seed 345 --op_seeds by_name --energy_every 500
# 22.08  SRIP, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer srip --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer srip --random_seed 345 --op_seeds by_name --energy_every 500
# 4.72  MHE, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 22.19  MHE, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500
# 4.66  Half-space MHE, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500
# 22.04  Half-space MHE, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer half_mhe --power 2 --random_seed 345 --op_seeds by_name --energy_every 500
# 4.59  RP-CoMHE, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500
# 21.82  RP-CoMHE, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer random --random_seed 345 --op_seeds by_name --energy_every 500
# 4.57  AP-CoMHE, CIFAR-10; 42,500 and 75,000 steps
python train.py --dataset cifar10 --model resnet32 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --dataset cifar10 --model resnet32 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500
# 21.63  AP-CoMHE, CIFAR-100; 42,500 and 75,000 steps
python train.py --model resnet32 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --model resnet32 --regularizer angle --random_seed 345 --op_seeds by_name --energy_every 500
