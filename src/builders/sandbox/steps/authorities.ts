/** Makes builds and images trust the authorities of the site. */
export const AUTHORITIES = String.raw`
AUTHORITIES = '/etc/cray/ca'
# Where each family of distributions looks for certificates of its site.
ANCHORS = {'apt': '/usr/local/share/ca-certificates'}
OTHER_ANCHORS = ('/usr/share/pki/trust/anchors', '/etc/pki/ca-trust/source/anchors')
REFRESH = '''
if command -v update-ca-certificates > /dev/null; then update-ca-certificates > /dev/null 2>&1
elif command -v update-ca-trust > /dev/null; then update-ca-trust
else mkdir -p /etc/ssl/certs; cat %s/cray_certificate_authority*.crt >> /etc/ssl/certs/ca-certificates.crt
fi
'''


def anchoring(authorities, folders):
    """Lines of a shell script that puts the certificates where the image's programs look for them."""
    lines = []
    for folder in folders:
        lines.append('mkdir -p %s' % folder)
        for number, certificate in enumerate(authorities):
            name = 'cray_certificate_authority%s.crt' % ('-%d' % (number + 1) if number else '')
            lines.append("cat > %s/%s <<'PEM'\n%sPEM" % (folder, name, certificate))
    return '\n'.join(lines) + REFRESH % folders[0]


def package_manager():
    """The one that the recipe names; none where it names none, or is no XML."""
    try:
        found = xml.etree.ElementTree.parse(RECIPE + '/config.xml').getroot().find('.//packagemanager')
    except (xml.etree.ElementTree.ParseError, ValueError, LookupError):
        return ''
    return (found.text or '').strip() if found is not None else ''


def trust_in_build(order):
    """kiwi runs post_bootstrap.sh in the new root before the packages of the image are fetched from there."""
    if not order.get('authorities') or order['recipeType'] != 'kiwi-ng':
        return
    path, own = RECIPE + '/post_bootstrap.sh', ''
    if os.path.lexists(path):
        if not is_recipe_file('post_bootstrap.sh'):
            return log('WARNING: post_bootstrap.sh is no file of the recipe; the authorities of the site are not added')
        path = os.path.realpath(path)
        with open(path, encoding='utf-8', errors='surrogateescape') as file:
            own = file.read()
    first, _, rest = own.partition('\n') if own.startswith('#!') else ('#!/bin/sh', '', own)
    if not re.match(r'#!\s*(/usr)?(/bin/env\s+)?(/bin/)?\w*sh\b', first):
        return log('WARNING: post_bootstrap.sh is no shell script; the authorities of the site are not added')
    folders = [ANCHORS['apt']] if package_manager() == 'apt' else list(OTHER_ANCHORS)
    with open(path, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write('%s\n# The authorities of the site.\n(\n%s)\n%s' % (first, anchoring(order['authorities'], folders), rest))
    os.chmod(path, 0o755)


def put_authorities(order):
    """As the reference: the image has the site's authorities in a folder of their own."""
    # An order of a worker that is older than this program has none.
    if not order.get('authorities'):
        return

    def put():
        os.makedirs(AUTHORITIES, mode=0o755, exist_ok=True)
        path = AUTHORITIES + '/certificate_authority.crt'
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, 'x') as file:
            file.write(''.join(order['authorities']))
        os.chmod(path, 0o644)
        return {'put': True}

    answer = in_root(put)
    if not answer.get('put'):
        raise Problem('image.invalid', 'The certificates of the site cannot be put into the image at %s (%s)'
                      % (AUTHORITIES, answer.get('fault')))
`;
