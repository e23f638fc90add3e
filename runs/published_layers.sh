# Test errors (%) of the authors' slides, github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 8, table 4. Its column of both kinds of layers is in published_powers.sh.
# 26.85  MHE, output layer only
python train.py --regularizer mhe --power 0 --energy_weight 0 --output_energy_weight 1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.55  MHE, hidden layers only
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.28  Half-space MHE, hidden layers only
python train.py --regularizer half_mhe --power 2 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 27.80  A-MHE, output layer only
python train.py --regularizer mhe --power a2 --energy_weight 0 --output_energy_weight 0.1 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.56  A-MHE, hidden layers only
python train.py --regularizer mhe --power a2 --energy_weight 0.01 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
# 26.64  Half-space A-MHE, hidden layers only
python train.py --regularizer half_mhe --power a2 --output_energy_weight 0 --random_seed 345 --op_seeds by_name --energy_every 500 --max_steps 42500 --lr_drops 20000,30000,37500
