/** What an instance type says of where an image is built. */
export interface InstanceShape {
  readonly arch: 'x86_64' | 'aarch64';
  readonly size: 'small' | 'medium' | 'large';
}

const FORM = /^([a-z][a-z0-9-]*)\.(nano|micro|small|medium|large|(\d{0,3})xlarge|metal(?:-[a-z0-9]+)?)$/;
/** A family has letters, a generation, and letters for what is special about it. */
const FAMILY = /^[a-z]+\d+([a-z-]*)$/;

/** Null: nothing is an instance of that type. */
export function shapeOf(instanceType: string): InstanceShape | null {
  const [, family, size, count] = FORM.exec(instanceType) ?? [];
  if (family === undefined || size === undefined) return null;
  const special = FAMILY.exec(family)?.[1] ?? '';
  return {
    arch: family === 'a1' || special.split('-')[0]!.includes('g') ? 'aarch64' : 'x86_64',
    size: sizeOf(size, count),
  };
}

function sizeOf(size: string, count: string | undefined): InstanceShape['size'] {
  if (['nano', 'micro', 'small', 'medium'].includes(size)) return 'small';
  return size === 'large' || count === '' || count === '1' ? 'medium' : 'large';
}
