import { expect, it } from '@jest/globals';
import { aBuilder, anOrder, start } from '../../support/building.js';
import { describeWith } from '../../support/programs.js';
import { BUILD_PROGRAMS } from '../../support/recipes.js';
import { tar, type TarMember } from '../../support/tar.js';

const TEMPLATES = '.ims_recipe_template.yaml';
const LIST: TarMember = { name: TEMPLATES, content: 'template_files:\n- config.xml\n' };

/** A description whose package source names `place`; kiwi logs that name, then fails because it is not there. */
const description = (place: string) => `<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="probe">
  <description type="system"><author>a</author><contact>c</contact><specification>s</specification></description>
  <preferences><version>1.0.0</version><packagemanager>apt</packagemanager><type image="tbz"/></preferences>
  <repository type="apt-deb" distribution="x" components="main" use_for_bootstrap="true"><source path="file:///nowhere/${place}"/></repository>
  <packages type="bootstrap"/>
</image>
`;

async function build(members: readonly TarMember[], template: { key: string; value: string }[], options = {}) {
  const { builder } = await aBuilder({}, options);
  const { done, log, phases } = start(builder, anOrder({ template }), tar(members));
  const failure = await done.then(
    () => undefined,
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
  return { failure, phases, log: log(), source: /Setting up repository file:\/\/\/nowhere\/(.*)/.exec(log())?.[1] };
}

describeWith(BUILD_PROGRAMS, 'Templates', () => {
  it.each<[string, string, { key: string; value: string }[], string]>([
    ['a value', '{{ A }}', [{ key: 'A', value: 'one' }], 'one'],
    ['an unknown name as nothing', 'x{{ B }}y', [{ key: 'A', value: 'one' }], 'xy'],
    [
      'the last of equal keys',
      '{{ A }}',
      [
        { key: 'A', value: 'one' },
        { key: 'A', value: 'two' },
      ],
      'two',
    ],
    [
      'loops, conditions and filters',
      '{% for i in range(3) %}{{ i }}{% endfor %}{% if A %}-{{ A | upper }}{% endif %}',
      [{ key: 'A', value: 'z' }],
      '012-Z',
    ],
    ['includes of the recipe', '{% include "sub/part" %}', [{ key: 'A', value: 'in' }], 'part-in'],
    ['a value that looks like a template as it is', '{{ A }}', [{ key: 'A', value: '{{ B }}' }], '{{ B }}'],
  ])('render %s', async (_what, place, template, expected) => {
    const { source } = await build(
      [LIST, { name: 'config.xml', content: description(place) }, { name: 'sub/part', content: 'part-{{ A }}' }],
      template,
    );

    expect(source).toBe(expected);
  });

  it('leave files that are not listed alone', async () => {
    const list = { name: TEMPLATES, content: 'template_files: [other]\n' };

    const { source } = await build(
      [list, { name: 'other' }, { name: 'config.xml', content: description('{{ A }}') }],
      [{ key: 'A', value: 'one' }],
    );

    expect(source).toBe('{{ A }}');
  });

  it.each<[string, string, string, RegExp]>([
    [
      'a path that climbs out',
      'template_files: [../../etc/passwd]',
      '',
      /'\.\.\/\.\.\/etc\/passwd' lies outside of the recipe/,
    ],
    ['an absolute path', 'template_files: [/etc/passwd]', '', /'\/etc\/passwd' lies outside/],
    ['a link into the image', 'template_files: [root/link]', '', /'root\/link' lies outside/],
    ['a file that is not there', 'template_files: [config.xml, nothing]', '', /'nothing' is not a file of the recipe/],
    ['a folder', 'template_files: [root]', '', /'root' is not a file of the recipe/],
    ['something that is no name', 'template_files: [7]', '', /lists 7, which is not a file name/],
    ['a syntax error', 'template_files: [config.xml]', '\n\n{% if %}', /^config\.xml, line 7: /],
    [
      'an error while it renders',
      'template_files: [config.xml]',
      '\n{{ A.b.c }}',
      /^config\.xml, line 6: .*no attribute/,
    ],
    [
      'an include of a file outside',
      'template_files: [config.xml]',
      '{% include "/etc/passwd" %}',
      /no template '\/etc\/passwd'/,
    ],
    [
      'an include through a link',
      'template_files: [config.xml]',
      '{% include "root/link" %}',
      /no template 'root\/link'/,
    ],
    [
      'a way out of the sandboxed language',
      'template_files: [config.xml]',
      '{{ "".__class__.__mro__[1].__subclasses__() }}',
      /unsafe|undefined/,
    ],
  ])('fail the build on %s', async (_what, list, place, message) => {
    const members: TarMember[] = [
      { name: TEMPLATES, content: `${list}\n` },
      { name: 'config.xml', content: description(place) },
      { name: 'root/link', type: '2', linkName: '/etc/passwd' },
    ];

    const { failure, phases } = await build(members, [{ key: 'A', value: 'one' }]);

    expect(failure).toMatchObject({ code: 'recipe.template_failed', message: expect.stringMatching(message) });
    expect(phases).toEqual(['fetching']);
  });

  it('fail the build when they render to more than allowed', async () => {
    const endless = '{% for i in range(99999) %}{{ "x" * 9999 }}{% endfor %}';

    const { failure } = await build([LIST, { name: 'config.xml', content: endless }], [{ key: 'A', value: '' }], {
      renderedBytes: 2 ** 20,
    });

    expect(failure).toMatchObject({
      code: 'recipe.template_failed',
      message: expect.stringMatching(/more than 1048576 bytes/),
    });
  });

  it('fail the build when the recipe lists files but has no values', async () => {
    const { failure } = await build([LIST, { name: 'config.xml', content: description('x') }], []);

    expect(failure).toMatchObject({
      code: 'recipe.template_failed',
      message: expect.stringMatching(/no template values/),
    });
  });

  it.each<[string, TarMember[], RegExp]>([
    ['values but no list', [], /has template values but no \.ims_recipe_template\.yaml/],
    [
      'a list without template_files',
      [{ name: TEMPLATES, content: 'files: [config.xml]\n' }],
      /has no list template_files/,
    ],
    ['a list that is no YAML', [{ name: TEMPLATES, content: 'template_files: [config.xml\n' }], /cannot be read/],
  ])('with %s are warned about, and the build goes on', async (_what, members, warning) => {
    const { source, log } = await build(
      [...members, { name: 'config.xml', content: description('{{ A }}') }],
      [{ key: 'A', value: 'one' }],
    );

    expect(log).toMatch(warning);
    expect(source).toBe('{{ A }}');
  });
});
