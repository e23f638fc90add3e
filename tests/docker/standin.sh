#!/usr/bin/env bash
# Makes local stand-ins for the Dockerfile's two bases, for machines that reach no
# registry of images: a minimal system like this one with its current Python, and with
# its Python 3.6, tensorflow-gpu 1.14.0 and an old pip, without CUDA. They serve to test
# what the Dockerfile does after FROM, and are not to be published.
#   standin.sh PYTHON PYTHON36 BUILD...   (the last: how to build with network)
set -euo pipefail
current=$1; original=$2; build=("${@:3}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=ca-certificates \
  "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$work/rootfs.tar"
# How pip gets at packages on this machine.
"$current" -m pip config list |
  sed -nE "s/^[^']*\.((extra-)?index-url|trusted-host)='(http.*)'$/\1 = \3/p" |
  cat <(echo '[global]') - > "$work/pip.conf"
cp "$("$current" -c 'import ssl; print(ssl.get_default_verify_paths().cafile)')" \
  "$work/certificates.crt"

stand_in() {  # NAME PYTHON REQUIREMENTS...; these are installed one after the other
  local prefix libraries
  prefix=$("$2" -c 'import sys; print(sys.base_prefix)')
  rm -rf "$work/python" "$work/libraries"
  cp -a "$prefix" "$work/python"
  # Not what this machine has installed beside it.
  find "$work"/python/lib/python*/site-packages -mindepth 1 -maxdepth 1 \
    ! -name 'pip*' ! -name 'setuptools*' ! -name pkg_resources ! -name _distutils_hack \
    -exec rm -rf {} +
  mkdir "$work/libraries"
  # What Python was linked with and a minimal system lacks; its C library has its own.
  find "$prefix" -path '*lib-dynload*.so' ! -name '_tkinter*' -exec ldd {} + |
    awk '$3 ~ "^/" && $1 !~ "^lib(c|m|python.*)\\." {print $3}' | sort -u |
    xargs cp -L -t "$work/libraries"
  {
    echo "FROM scratch"
    echo "ADD rootfs.tar /"
    echo "COPY libraries /usr/local/lib/"
    echo "COPY certificates.crt /etc/ssl/certs/ca-certificates.crt"
    echo "COPY pip.conf /etc/pip.conf"
    echo "COPY python $prefix"
    echo "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
    echo "RUN ldconfig; chmod a+x /root; ln -s $prefix/bin/python3 /usr/local/bin/"
    for requirements in "${@:3}"; do
      echo "RUN python3 -m pip install --no-cache-dir -q $requirements"
    done
  } > "$work/Dockerfile"
  "${build[@]}" -t "localhost/comhe_tf1_standin:$1" "$work"
}

stand_in modern "$current"
# As in the image of June 2019.
stand_in repro "$original" pip==21.3.1 \
  'tensorflow-gpu==1.14.0 numpy==1.16.4 protobuf==3.8.0 h5py==2.9.0 gast==0.2.2' pip==19.1.1
