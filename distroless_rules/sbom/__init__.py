"""Software bills of materials: an image's files in, documents that account for each of them out.

``files`` is what is looked at; ``debs`` and ``languages`` find the packages in it, ``copyright`` and ``licences`` their
licences; ``inventory`` gives every file its owner; ``spdx`` and ``cyclonedx`` write that down.
"""
