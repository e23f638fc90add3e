"""How processes of a cluster reach each other: directly, and over IPv4 alone.

gRPC goes by the environment's proxies, which know nothing of a private network, and
tries every address that a name has, each for 20 s: a worker drops what comes to
another one than its own.
"""
import os
import socket

from comhe_tf1.cluster import members

CONNECTING = 5.   # seconds that a process may take to accept a connection


def resolve(host):
  """IPv4 address of a host; raises OSError."""
  try:
    return socket.gethostbyname(host)
  except UnicodeError:   # of a name that cannot be one
    raise OSError('no such host: %r' % host)


def twins(addresses):
  """Two of these host:port that are the same place by other names, or None."""
  found = {}
  for address in addresses:
    host, port = members.parse_address(address)
    try:
      place = resolve(host), port
    except OSError:   # not known yet
      continue
    if place in found:
      return found[place], address
    found[place] = address
  return None


def directly(address):
  """The address by which to connect to host:port, past all proxies.

  Changes this process's environment; before the connection.

  Raises:
    OSError: the host has no IPv4 address.
  """
  host, port = members.parse_address(address)
  number = resolve(host)
  _exempt_from_proxies(number)
  return '%s:%d' % (number, port)


def directly_if_known(address):
  """As `directly`; a host that has no address yet remains a name, for gRPC to look up."""
  try:
    return directly(address)
  except OSError:
    _exempt_from_proxies(members.parse_address(address)[0])
    return address


def _exempt_from_proxies(host):
  # Older versions know the first variable only, newer ones prefer the second where it
  # is there; and the older do not strip spaces.
  for name in ('no_proxy', 'no_grpc_proxy'):
    hosts = [known for known in os.environ.get(name, '').split(',') if known]
    if host not in hosts and (name == 'no_proxy' or name in os.environ):
      os.environ[name] = ','.join(hosts + [host])


def silence(address):
  """Why nothing accepts connections at host:port; None if something does."""
  try:
    socket.create_connection(members.parse_address(address), CONNECTING).close()
  except OSError as error:
    return error.strerror or str(error)
  return None
