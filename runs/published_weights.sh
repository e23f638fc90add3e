# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 8, read off the plot to 0.02. Which power and which sum of layers its weight is of is not said.
# 28.04  MHE, output layer only, weight 0.01
python train.py --regularizer mhe --power 0 --energy_weight 0 --output_energy_weight 0.01 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.38  MHE, output layer only, weight 0.1
python train.py --regularizer mhe --power 0 --energy_weight 0 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.12  MHE, output layer only, weight 1
python train.py --regularizer mhe --power 0 --energy_weight 0 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.21  MHE, output layer only, weight 10
python train.py --regularizer mhe --power 0 --energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.82  MHE, output layer only, weight 100
python train.py --regularizer mhe --power 0 --energy_weight 0 --output_energy_weight 100 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.17  MHE, hidden layers only, weight 0.01
python train.py --regularizer mhe --power 0 --energy_weight 0.01 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.07  MHE, hidden layers only, weight 0.1
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.32  MHE, hidden layers only, weight 1
python train.py --regularizer mhe --power 0 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.26  MHE, hidden layers only, weight 10
python train.py --regularizer mhe --power 0 --energy_weight 10 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.48  MHE, hidden layers only, weight 100
python train.py --regularizer mhe --power 0 --energy_weight 100 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.94  Half-space MHE, hidden layers only, weight 0.01
python train.py --regularizer half_mhe --power 2 --energy_weight 0.01 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.50  Half-space MHE, hidden layers only, weight 0.1
python train.py --regularizer half_mhe --power 2 --energy_weight 0.1 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.70  Half-space MHE, hidden layers only, weight 1
python train.py --regularizer half_mhe --power 2 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 25.77  Half-space MHE, hidden layers only, weight 10
python train.py --regularizer half_mhe --power 2 --energy_weight 10 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.32  Half-space MHE, hidden layers only, weight 100
python train.py --regularizer half_mhe --power 2 --energy_weight 100 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
