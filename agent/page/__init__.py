"""The status page: what a person sees at `/`.

history     the last quarter of an hour, as numbers for sparklines
document    what the page shows, as one document
static      the files of the page, read once, and the headers that go with them
files/      HTML, CSS and JavaScript as the browser gets them: there is no build step

`stoker dashboard` (`fleet.dashboard`) serves the same files for a whole fleet.
"""
