import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Public by its range, but every virtual machine of that cloud reaches its host's metadata there (Azure). */
const METADATA = ipaddr.parse('168.63.129.16').toString();
/** Of IPv6 only this is given out to networks; the rest is reserved, translated or local. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

/**
 * Whether an address is one of the public internet. All that is set apart for something else is not: loopback,
 * private and link-local networks, multicast, documentation, carriers' own, and every form of IPv6 that carries an IPv4
 * address (mapped, compatible, 6to4, Teredo, NAT64).
 */
export function isPublicAddress(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return isIpv4(address) ? address.toString() !== METADATA : address.match(GLOBAL_UNICAST);
}

/** An address within a network; those of the other family are not. */
export function isWithin(address: Address, network: [Address, number]): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

function isIpv4(address: Address): address is ipaddr.IPv4 {
  return address.kind() === 'ipv4';
}
