/** Builds Packer recipes. */
export const PACKER = String.raw`
def packer_template():
    """What Packer is given: one of the two files, else the folder with its HCL files."""
    for name in ('template.json', 'recipe.json'):
        if is_recipe_file(name):
            return name
    if any(name.endswith(('.pkr.hcl', '.pkr.json')) for name in os.listdir(RECIPE)):
        return '.'
    raise Problem('recipe.invalid', 'The recipe archive has neither template.json, recipe.json nor a file *.pkr.hcl at its top level')


def packer(order):
    os.makedirs(IMAGE_FOLDER + '/build')
    os.makedirs('/mnt/image')
    mount(IMAGE_FOLDER, '/mnt/image', MS_BIND)
    os.chdir(RECIPE)
    os.environ.update({'CHECKPOINT_DISABLE': '1', 'PACKER_NO_COLOR': '1', 'PACKER_CACHE_DIR': '/job/cache',
                       'PACKER_CONFIG_DIR': '/root', 'TMPDIR': '/tmp'})
    return {'status': run_confined(['packer', 'build', '-machine-readable', '-color=false', order['template']])}


def collect(order):
    """The output of Packer: a root file system as a folder, or the one file that it made."""
    os.makedirs('/mnt/image')
    mount(IMAGE_FOLDER, '/mnt/image', MS_BIND)
    root = IMAGE_FOLDER + '/build/image-root'
    if os.path.isdir(root) and not os.path.islink(root):
        os.rename(root, ROOT)
        return {'root': True}
    found = {}
    for folder, _, names in os.walk(IMAGE_FOLDER + '/build'):
        for name in names:
            path = folder + '/' + name
            found[path] = path
    for name in order['files']:
        path = os.path.realpath(os.path.join(RECIPE, name))
        path = path.replace('/mnt/image/', IMAGE_FOLDER + '/', 1) if path.startswith('/mnt/image/') else path
        if path.startswith('/job/'):
            found[path] = path
    found = [path for path in found if stat.S_ISREG(os.lstat(path).st_mode)] if all(map(os.path.lexists, found)) else []
    if not found:
        raise Problem('build.failed', 'Packer left neither a folder image-root nor a file in its output')
    if len(found) > 1:
        names = ', '.join(shown(os.path.basename(path)) for path in sorted(found)[:20])
        raise Problem('build.failed', 'Packer left %d files (%s); an image has one' % (len(found), names))
    os.rename(found[0], '/job/disk')
    os.chmod('/job/disk', 0o644)
    return {'root': False}
`;
