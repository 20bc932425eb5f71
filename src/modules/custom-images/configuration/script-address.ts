import { type Address, formatAddress, parseAddress } from '../../artifacts/index.js';
import { accountNumberOf } from '../account-number.js';
import type { ConfiguredComponent } from './image-configuration.js';

/** Where a project keeps scripts that configurations name without an address. */
const SCRIPT_BUCKET = 'scripts';

const COMPONENT_ARN = /^arn:[\w-]+:imagebuilder:([\w-]+):(\w+):component\/([\w.-]+)\/([\w.-]+)(?:\/\d+)?$/;

/**
 * The object of the project behind a component; null: it lies elsewhere, or is no object.
 * @throws MalformedAddressError no object could have that address
 */
export function objectOf(component: ConfiguredComponent, projectId: string, region: string): Address | null {
  const { Type, Value } = component;
  if (Type === 'arn') return objectOfComponent(Value, projectId, region);
  if (/^s3:/i.test(Value)) return parseAddress(`s3:${Value.slice('s3:'.length)}`);
  if (!/^file:/i.test(Value)) return null;
  // Never a path of this machine.
  return scriptOf(Value.slice('file://'.length).replace(/^\/+/, ''));
}

/** The address that a job reads a component from. @throws MalformedAddressError */
export function jobAddressOf(component: ConfiguredComponent, projectId: string, region: string): string {
  const object = objectOf(component, projectId, region);
  return object ? formatAddress(object) : component.Value;
}

function objectOfComponent(arn: string, projectId: string, region: string): Address | null {
  const [, ofRegion, owner, name, version] = COMPONENT_ARN.exec(arn) ?? [];
  if (ofRegion !== region || owner !== accountNumberOf(projectId)) return null;
  return scriptOf(`components/${name}/${version}`);
}

function scriptOf(key: string): Address {
  return parseAddress(formatAddress({ bucket: SCRIPT_BUCKET, key }));
}
