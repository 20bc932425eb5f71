/** Renders a recipe's templates. */
export const TEMPLATES = String.raw`
def template_files():
    """The listed names, or None where the list is missing or broken (which is logged, and the build goes on)."""
    import yaml
    path = RECIPE + '/.ims_recipe_template.yaml'
    try:
        if not inside(path):
            raise ValueError('it leads out of the recipe')
        with open(path, encoding='utf-8') as file:
            listed = yaml.safe_load(file)
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        log('WARNING: .ims_recipe_template.yaml cannot be read, nothing is rendered: %s' % error)
        return None
    names = listed.get('template_files') if isinstance(listed, dict) else None
    if not isinstance(names, list):
        log('WARNING: .ims_recipe_template.yaml has no list template_files, nothing is rendered')
        return None
    return names


def template_path(name):
    if not isinstance(name, str) or name == '':
        raise Problem('recipe.template_failed', '.ims_recipe_template.yaml lists %s, which is not a file name' % shown(repr(name)))
    if '\0' in name:
        raise Problem('recipe.template_failed', "Template '%s' is not a file name" % shown(name))
    path = posixpath.normpath(posixpath.join(RECIPE, name))
    if not path.startswith(RECIPE + '/') or not inside(path):
        raise Problem('recipe.template_failed', "Template '%s' lies outside of the recipe" % shown(name))
    if not os.path.isfile(path):
        raise Problem('recipe.template_failed', "Template '%s' is not a file of the recipe" % shown(name))
    return os.path.realpath(path)


def where(error, path):
    """The line of a template's fault: Jinja puts the template's own frames into the traceback."""
    line = getattr(error, 'lineno', None)
    file = getattr(error, 'filename', None) or path
    if line is None:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(RECIPE + '/'):
                file, line = frame.filename, frame.lineno
    name = file[len(RECIPE) + 1:] if file.startswith(RECIPE + '/') else path[len(RECIPE) + 1:]
    return shown(name) + (', line %d' % line if line else '')


def render(order):
    values = {entry['key']: entry['value'] for entry in order['template']}
    if not os.path.lexists(RECIPE + '/.ims_recipe_template.yaml'):
        if values:
            log('WARNING: the recipe has template values but no .ims_recipe_template.yaml, nothing is rendered')
        return
    if not values:
        raise Problem('recipe.template_failed', 'The recipe has a .ims_recipe_template.yaml but no template values')
    names = template_files()
    if names is None:
        return
    import jinja2, jinja2.sandbox

    class RecipeLoader(jinja2.FileSystemLoader):
        def get_source(self, environment, template):
            # Links may stand in the recipe; none may bring in a file from elsewhere.
            if not inside(posixpath.join(RECIPE, template)):
                raise jinja2.TemplateNotFound(template)
            return super().get_source(environment, template)

    environment = jinja2.sandbox.SandboxedEnvironment(loader=RecipeLoader(RECIPE), keep_trailing_newline=True)
    for path in dict.fromkeys(template_path(name) for name in names):
        try:
            size, rendered = 0, []
            for piece in environment.get_template(path[len(RECIPE) + 1:]).generate(values):
                size += len(piece)
                if size > order['renderedBytes']:
                    raise Problem('recipe.template_failed', "Template '%s' renders to more than %d bytes"
                                  % (shown(path[len(RECIPE) + 1:]), order['renderedBytes']))
                rendered.append(piece)
            # Written in place, so that mode and owner stay.
            with open(path, 'w', encoding='utf-8', newline='') as file:
                file.write(''.join(rendered))
        except Problem:
            raise
        except jinja2.TemplateNotFound as error:
            raise Problem('recipe.template_failed', "%s: the recipe has no template '%s'" % (where(error, path), shown(str(error))))
        except OSError as error:
            if error.errno in OUT_OF_DISK:
                raise
            raise Problem('recipe.template_failed', '%s: %s' % (where(error, path), error.strerror or error))
        except Exception as error:
            text = str(error) or type(error).__name__
            raise Problem('recipe.template_failed', '%s: %s' % (where(error, path), shown(text.splitlines()[0])))
        log('Rendered %s' % path[len(RECIPE) + 1:])
`;
