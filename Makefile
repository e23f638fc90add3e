# make demo           first-line check and a short training, in two to six minutes
# make test           the tests under the current Python (3.10 to 3.13), without the slow ones
# make test-slow      these: whole trainings, kills, several devices
# make test-tf1       as test, under Python 3.6 and TensorFlow 1.14.0
# make test-tf1-slow  as test-slow, likewise
# make test-gpu       that TensorFlow finds its GPU libraries; needs no GPU, takes 7 GB
# make lint           unused and undefined names, imports in order
# make test-docker    both Docker images, built and run on local stand-ins of their bases
# make lock           the locks in requirements/, written anew; UPGRADE=--upgrade
# Choose the interpreters with PYTHON=... and PYTHON36=...
PYTHON ?= python3
PYTHON36 ?= python3.6
VENV ?= .venv
VENV_TF1 ?= .venv-tf1

.PHONY: demo lint test test-slow test-tf1 test-tf1-slow test-gpu test-docker lock clean

demo: $(VENV)/run
	$(VENV)/bin/python train.py --check_first_line --gpu_no -1
	@echo
	$(VENV)/bin/python train.py --dataset sample --gpu_no -1 --batch_size 32 \
	  --base_lr 0.001 --bn_decay 0.9 --max_steps 151 --log_every 25 --eval_every 50

PYTEST = -m pytest tests -n 2 --dist loadfile

test: $(VENV)/test
	$(VENV)/bin/python $(PYTEST) -m "not slow"

test-slow: $(VENV)/test
	$(VENV)/bin/python $(PYTEST) -m slow

test-tf1: $(VENV_TF1)/test
	$(VENV_TF1)/bin/python $(PYTEST) -m "not slow"

test-tf1-slow: $(VENV_TF1)/test
	$(VENV_TF1)/bin/python $(PYTEST) -m slow

test-gpu: $(VENV)/test $(VENV)-gpu/lock
	GPU_PYTHON=$(abspath $(VENV)-gpu/bin/python) $(VENV)/bin/python -m pytest tests/gpu \
	  --confcutdir tests/gpu -v

$(VENV)-gpu/lock: requirements/tf2.21-gpu.txt
	$(PYTHON) -m venv $(VENV)-gpu
	$(VENV)-gpu/bin/python -m pip install -q --require-hashes -r requirements/tf2.21-gpu.txt
	@touch $@

$(VENV)/run: requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.13: call make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q -r requirements.txt
	@touch $@

$(VENV)/test: $(VENV)/run requirements/test.txt
	$(VENV)/bin/python -m pip install -q -r requirements/test.txt
	@touch $@

# pip 22 and later do not run on Python 3.6, older ones miss the wheels.
$(VENV_TF1)/test: requirements.txt requirements/test.txt
	@$(PYTHON36) -c "import sys; sys.exit(sys.version_info[:2] != (3, 6))" || \
	  { echo "$(PYTHON36) is not Python 3.6: call make PYTHON36=/path/to/python3.6" >&2; exit 1; }
	$(PYTHON36) -m venv $(VENV_TF1)
	$(VENV_TF1)/bin/python -m pip install -q -U "pip<22"
	$(VENV_TF1)/bin/python -m pip install -q -r requirements.txt -r requirements/test.txt
	@touch $@

lint: $(VENV)-lint/ruff
	$(VENV)-lint/bin/ruff check .

$(VENV)-lint/ruff: requirements/lint.txt
	$(PYTHON) -m venv $(VENV)-lint
	$(VENV)-lint/bin/python -m pip install -q -r requirements/lint.txt
	@touch $@

# On the Docker Engine, else on podman; ENGINE=docker or podman takes that one alone. Needs
# root, and the packages that docs/evidence/docker.md names.
ENGINE ?=
test-docker: $(VENV)-docker/test
	ENGINE=$(ENGINE) PYTHON36=$(PYTHON36) $(VENV)-docker/bin/python -m pytest tests/docker --confcutdir tests/docker -v

$(VENV)-docker/test: tests/docker/requirements.txt
	$(PYTHON) -m venv $(VENV)-docker
	$(VENV)-docker/bin/python -m pip install -q -r tests/docker/requirements.txt
	@touch $@

lock: $(VENV)-lock/uv
	PATH="$(abspath $(VENV)-lock/bin):$$PATH" requirements/lock.sh

$(VENV)-lock/uv:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -q uv==0.13.9
	@touch $@

clean:
	rm -rf $(VENV) $(VENV_TF1) $(VENV)-docker $(VENV)-gpu $(VENV)-lint $(VENV)-lock build
