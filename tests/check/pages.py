# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks read in a man page: sections (.SH), their parts (.SS), and their entries, the lines
behind .TP. For pages in the macros of man(7)."""

import re


def plain(roff):
    """A line of roff without its macro, fonts and escapes."""
    line = roff
    if m := re.match(r'\.([BIR]{1,2}|SM) ', line):
        # Of two fonts in turn, the arguments stand side by side; of one, blanks stay between them.
        arguments = re.findall(r'"([^"]*)"|(\S+)', line[m.end():])
        line = ('' if len(m[1]) == 2 else ' ').join(a or b for a, b in arguments)
    line = re.sub(r'\\f(?:\(..|.)', '', line)
    line = re.sub(r'\\(?:\(ti)', '~', line)
    return ' '.join(line.replace('\\-', '-').replace('\\&', '').replace('\\e', '\\').split())


class Part:
    """Some lines of a page."""

    def __init__(self, title, lines):
        self.title, self.lines = title, lines

    def entries(self):
        """What its paragraphs are about."""
        return [title for title, _ in self.bodies()]

    def bodies(self):
        """Yields what each paragraph is about, and its other lines, up to the next one."""
        starts = [i for i, line in enumerate(self.lines) if line == '.TP'] + [len(self.lines)]
        for start, end in zip(starts, starts[1:]):
            yield plain(self.lines[start + 1]), [plain(line) for line in self.lines[start + 2:end]]

    def outer(self):
        """Without what is indented, such as a list in a list."""
        lines, depth = [], 0
        for line in self.lines:
            depth -= line == '.RE'
            lines += [line] * (depth == 0 and line not in ('.RS', '.RE'))
            depth += line == '.RS'
        return Part(self.title, lines)

    def split(self, macro):
        found = {}
        for line in self.lines:
            if line.startswith(f'.{macro} '):
                title = plain(line[len(macro) + 2:]).replace('"', '')
                found[title] = Part(title, [])
            elif found:
                found[title].lines.append(line)
        return found

    def parts(self):
        return self.split('SS')

    def part(self, title):
        return self.parts().get(title) or Part(title, [])


class Page(Part):
    def __init__(self, path):
        self.path, self.source = path, path.read_text()
        super().__init__(path.name, self.source.splitlines())

    def section(self, title):
        return self.split('SH').get(title) or Part(title, [])
