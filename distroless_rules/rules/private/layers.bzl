"""How the debs of an image are put into layers."""

def deb_layers(debs, budget):
    """Groups debs by source package, the largest group first; what exceeds the budget shares the last layer.

    Debs of one source change together, and large ones are worth sharing between images.

    Args:
        debs: structs with name, source, size (bytes of the deb) and installed_size (KiB).
        budget: how many layers there may be.

    Returns:
        A list of lists of names.
    """
    groups = {}
    for deb in debs:
        groups.setdefault(deb.source, []).append(deb)
    order = sorted([(-sum_of([weight(deb) for deb in group]), source) for source, group in groups.items()])
    layers = [[deb.name for deb in groups[source]] for _, source in order]
    if len(layers) > budget:
        rest = [name for layer in layers[budget - 1:] for name in layer]
        layers = layers[:budget - 1] + [sorted(rest)]
    return layers

def weight(deb):
    """What a deb weighs unpacked, in KiB; three times the deb when the archive does not say."""
    return deb.installed_size or deb.size * 3 // 1024

def sum_of(numbers):
    """The sum of a list of integers."""
    total = 0
    for number in numbers:
        total += number
    return total
