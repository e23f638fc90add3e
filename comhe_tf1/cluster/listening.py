"""Holds a server to one address, where its library listens at all of them.

TensorFlow's servers listen at every address of the machine, whatever they are told,
and let everybody in who connects. Linux can drop what is sent to a listening socket
by a filter, which needs no privileges.
"""
import ctypes
import os
import socket
import struct

from comhe_tf1.cluster import reaching

SO_ATTACH_FILTER = 26   # <asm-generic/socket.h>; not in Python's socket
ANYWHERE = '0.0.0.0'

# Offsets from the network header, on which filters of TCP sockets do not stand.
_VERSION, _DESTINATION = 0xfff00000, 0xfff00010
_LOAD_BYTE, _LOAD_WORD, _AND, _EQUAL, _RETURN = 0x30, 0x20, 0x54, 0x15, 0x06


def check_free(address, port):
  """Raises OSError unless a server can listen, and be reached, at an address.

  Linux lets one listen at those of many machines at once, where none connects.

  TensorFlow's would share a port with another one of its kind and each get half of
  the connections.
  """
  with socket.socket() as trial:
    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    trial.bind((address, port))
    trial.listen(1)
    socket.create_connection((address, port), reaching.CONNECTING).close()


def only(address, port):
  """Lets this process's listening sockets of a port hear one address only.

  Connections that are there already stay.

  Args:
    address: IPv4 address; `ANYWHERE` for all.
    port: of the sockets, which listen already.

  Raises:
    OSError: the system does not do so, or there are no such sockets.
  """
  if address == ANYWHERE:
    return
  program = _program(address)
  code = ctypes.create_string_buffer(
      b''.join(struct.pack('HBBI', *instruction) for instruction in program))
  option = struct.pack('HP', len(program), ctypes.addressof(code))
  held = 0
  for listener in _listeners(port):
    with listener:
      listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)
    held += 1
  if not held:
    raise OSError('nothing of this process listens at port %d' % port)


def _program(address):
  """Filter that passes IPv4 packets to the address and no others."""
  wanted = struct.unpack('!I', socket.inet_aton(address))[0]
  return [(_LOAD_BYTE, 0, 0, _VERSION),
          (_AND, 0, 0, 0xf0),
          (_EQUAL, 0, 3, 0x40),
          (_LOAD_WORD, 0, 0, _DESTINATION),
          (_EQUAL, 0, 1, wanted),
          (_RETURN, 0, 0, 0xffffffff),
          (_RETURN, 0, 0, 0)]


def _listeners(port):
  """This process's sockets that listen at a port, as Python's own."""
  for number in os.listdir('/proc/self/fd'):
    try:
      if not os.readlink('/proc/self/fd/' + number).startswith('socket:'):
        continue
      found = socket.fromfd(int(number), socket.AF_INET6, socket.SOCK_STREAM)
    except OSError:   # closed meanwhile
      continue
    try:
      if (found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
          and found.getsockname()[1] == port):
        yield found
        continue
    except (OSError, IndexError):   # of another family
      pass
    found.close()
