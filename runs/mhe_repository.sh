python train.py --regularizer none --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power 0 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power 1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power 2 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power a0 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power a1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer half_mhe --power a2 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power 0 --energy_weight 0.1 --output_energy_weight 1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power 1 --energy_weight 0.1 --output_energy_weight 1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power 2 --energy_weight 0.1 --output_energy_weight 1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power a0 --energy_weight 0.1 --output_energy_weight 1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power a1 --energy_weight 0.01 --output_energy_weight 0.1 --max_steps 42500 --lr_drops 20000,30000,37500
python train.py --regularizer mhe --power a2 --energy_weight 0.01 --output_energy_weight 0.1 --max_steps 42500 --lr_drops 20000,30000,37500
