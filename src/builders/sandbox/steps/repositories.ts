/** Asks package repositories. */
export const REPOSITORIES = String.raw`
# Repositories of one recipe.
ASKED_AT_ONCE = 8


def repositories():
    """Every package source that is reached over a network, with the addresses that prove it is there."""
    try:
        description = xml.etree.ElementTree.parse(RECIPE + '/config.xml').getroot()
    except (xml.etree.ElementTree.ParseError, ValueError, LookupError) as error:
        raise Problem('recipe.invalid', 'config.xml is not well-formed XML: %s' % error)
    found, network = [], False
    for repository in description.iter('repository'):
        for source in repository.findall('source'):
            path = (source.get('path') or '').strip()
            scheme = path.split(':', 1)[0].lower() if ':' in path else ''
            network = network or scheme not in ('', 'file', 'dir', 'this', 'iso')
            if scheme not in ('http', 'https'):
                continue
            base, kind = path.rstrip('/'), repository.get('type')
            if kind == 'apt-deb':
                suite = repository.get('distribution')
                folder = base + '/dists/' + suite if suite else base
                probes = [folder + '/InRelease', folder + '/Release']
            elif kind == 'rpm-dir':
                probes = [path]
            else:
                probes = [base + '/repodata/repomd.xml']
            found.append({'path': path, 'probes': probes})
    return {'repositories': found, 'network': network}


def answers(probe, timeout):
    request = urllib.request.Request(probe, method='HEAD', headers={'User-Agent': 'Kiln'})
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        return 'HTTP status %d' % error.code
    except urllib.error.URLError as error:
        return str(error.reason)
    except Exception as error:
        return str(error) or type(error).__name__


def fault_of(repository, order):
    """Why none of its probes is answered; None: one is."""
    fault = None
    for probe in repository['probes']:
        said = answers(probe, order['answerSeconds'])
        if said is None:
            return None
        fault = '%s: %s' % (probe, said)
    return fault


def ask_forever(asked, answered, order):
    while True:
        number, repository = asked.get()
        answered.put((number, fault_of(repository, order)))


def wait_for_repositories(order):
    """
    Asks several at a time, and in threads that nobody waits for: a name that is not found, or a server that sends one
    byte now and then, takes longer than any time limit says.
    """
    deadline = time.monotonic() + order['giveUpSeconds']
    waiting = dict(enumerate(order['repositories']))
    why = dict.fromkeys(waiting, 'no answer yet')
    asked, answered = queue.SimpleQueue(), queue.SimpleQueue()
    for _ in range(min(len(waiting), ASKED_AT_ONCE)):
        threading.Thread(target=ask_forever, args=(asked, answered, order), daemon=True).start()
    while True:
        for one in waiting.items():
            asked.put(one)
        try:
            for _ in range(len(waiting)):
                number, why[number] = answered.get(timeout=max(0, deadline - time.monotonic()))
                if why[number] is None:
                    log('Repository %s is there' % waiting.pop(number)['path'])
        except queue.Empty:
            break
        if not waiting:
            return {}
        if time.monotonic() + order['roundSeconds'] > deadline:
            break
        for number, repository in waiting.items():
            log('Waiting for repository %s (%s)' % (repository['path'], why[number]))
        time.sleep(order['roundSeconds'])
    number, repository = next(iter(waiting.items()))
    raise Problem('repository.unreachable', 'Repository %s did not answer within %g seconds (%s)'
                  % (shown(repository['path']), order['giveUpSeconds'], shown(why[number])))


# Programs by which kiwi makes a root, and the Debian packages that bring them.
PACKAGE_MANAGERS = {'apt': ('debootstrap', 'debootstrap'), 'zypper': ('zypper', 'zypper'), 'dnf': ('dnf', 'dnf'),
                    'microdnf': ('microdnf', None), 'pacman': ('pacman', 'pacman-package-manager')}


def require_package_manager(name):
    program, package = PACKAGE_MANAGERS.get(name, (None, None))
    if program is None or shutil.which(program):
        return
    raise Problem('builder.unavailable', 'The recipe is built with %s, which this worker does not have%s'
                  % (name, ' (Debian package %s)' % package if package else ''))


def prepare(order):
    unpack(order)
    render(order)
    trust_in_build(order)
    if order['recipeType'] == 'packer':
        return {'template': packer_template()}
    found = repositories()
    require_package_manager(package_manager())
    return {**found, 'packageManager': package_manager()}
`;
