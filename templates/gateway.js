// Written by Stoker. Chooses the engine by the "model" of a request's body, and lists the models.
import fs from 'fs';

// Route → model → location that leads to its engines.
const PLACES = {{ places }};
// Location → gates of its engines, and what is told of its models.
const POOLS = {{ pools }};
const GATES = '{{ gates }}';

const QUOTE = 34, BACKSLASH = 92, COLON = 58, COMMA = 44;
// What opens and closes inside a value: quote, brackets, braces. By each byte: what it does to the
// depth; 0 for all others.
const MARKS = [QUOTE, 91, 93, 123, 125], STRING = 2;
const KINDS = new Array(256).fill(0);
KINDS[QUOTE] = STRING;
KINDS[91] = KINDS[123] = 1;
KINDS[93] = KINDS[125] = -1;
const STEPS = 12; // so many bytes are looked at one by one; then the rest is skipped by nginx

function route(r) {
    const places = PLACES[r.variables.stoker_route];
    const asked = model(r.requestBuffer);
    if (asked === undefined) {
        refuse(r, 400, 'model_missing', 'The request needs a "model"; there ' + known(places));
        return;
    }
    if (!Object.prototype.hasOwnProperty.call(places, asked)) {
        refuse(r, 404, 'model_not_found',
               'The model ' + JSON.stringify(asked.slice(0, 200)) + ' does not exist here; there '
               + known(places));
        return;
    }
    r.variables.stoker_model = asked;
    r.internalRedirect(places[asked]);
}

// Models of which at least one engine takes requests.
function models(r) {
    const found = [];
    Object.keys(POOLS).forEach((place) => {
        if (POOLS[place].gates.some(open)) {
            POOLS[place].models.forEach((one) => found.push(one));
        }
    });
    if (!found.length) {
        r.return(503);
        return;
    }
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, JSON.stringify({object: 'list', data: found}) + '\n');
}

function open(name) {
    try {
        fs.accessSync(GATES + name + '.open');
        return true;
    } catch (e) {
        return false;
    }
}

function known(places) {
    const names = Object.keys(places);
    return (names.length === 1 ? 'is ' : 'are ') + names.join(', ') + '.';
}

function refuse(r, status, code, message) {
    r.variables.stoker_reason = code;
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify({error: {
        message: message, type: 'invalid_request_error', param: 'model', code: code}}) + '\n');
}

// The value of the last "model" of the outermost object, as the engines read it; undefined if
// there is none that is a string. Not JSON.parse: that copies the body, keeps the copy for as long
// as the answer streams, and gives up where a tool's schema is nested deeper than 32. What is
// between two marks is skipped by nginx itself, so that a picture of megabytes costs nothing.
function model(body) {
    if (!body || !body.length) {
        return undefined;
    }
    let at = blank(body, 0);
    if (body[at] !== 123) {
        return undefined;
    }
    const seek = seeker(body);
    let found;
    at = blank(body, at + 1);
    while (body[at] === QUOTE) {
        const keyEnd = stringEnd(body, at);
        const colon = blank(body, keyEnd);
        if (keyEnd < 0 || body[colon] !== COLON) {
            return undefined;
        }
        const from = blank(body, colon + 1);
        const to = valueEnd(body, from, seek);
        if (to < 0) {
            return undefined;
        }
        if (text(body, at, keyEnd) === 'model') {
            found = body[from] === QUOTE ? text(body, from, to) : undefined;
        }
        at = blank(body, to);
        if (body[at] !== COMMA) {
            break;
        }
        at = blank(body, at + 1);
    }
    return found;
}

function blank(body, at) {
    while (at >= 0 && (body[at] === 32 || body[at] === 10 || body[at] === 13 || body[at] === 9)) {
        at++;
    }
    return at;
}

// Where the string that opens at `from` is over: behind its closing quote; -1: nowhere.
function stringEnd(body, from) {
    let quote = from;
    for (;;) {
        quote = body.indexOf(QUOTE, quote + 1);
        if (quote < 0) {
            return -1;
        }
        let before = quote - 1;
        while (body[before] === BACKSLASH) {
            before--;
        }
        if ((quote - before) % 2) {
            return quote + 1;
        }
    }
}

function valueEnd(body, from, seek) {
    const first = body[from];
    if (first === QUOTE) {
        return stringEnd(body, from);
    }
    if (KINDS[first] !== 1) {
        let at = from;
        while (at < body.length && body[at] !== COMMA && body[at] !== 125) {
            at++;
        }
        return at;
    }
    let depth = 0, at = from;
    for (;;) {
        let kind = KINDS[body[at]], steps = 0;
        while (!kind) {
            if (kind === undefined) {
                return -1;
            }
            at = ++steps < STEPS ? at + 1 : seek(at + 1);
            if (at < 0) {
                return -1;
            }
            kind = KINDS[body[at]];
        }
        if (kind === STRING) {
            at = stringEnd(body, at);
            if (at < 0) {
                return -1;
            }
            continue;
        }
        depth += kind;
        at++;
        if (!depth) {
            return at;
        }
    }
}

// Gives the place of the next mark from a place on; -1: none. Each mark is looked for only when
// the last one that was found lies behind.
function seeker(body) {
    const next = [-1, -1, -1, -1, -1];
    return (at) => {
        let nearest = -1;
        for (let i = 0; i < 5; i++) {
            if (next[i] < at && next[i] !== -2) {
                const place = body.indexOf(MARKS[i], at);
                next[i] = place < 0 ? -2 : place;
            }
            if (next[i] >= 0 && (nearest < 0 || next[i] < nearest)) {
                nearest = next[i];
            }
        }
        return nearest;
    };
}

// The string from its opening quote to behind its closing one; undefined where it is no proper one.
function text(body, from, to) {
    try {
        return JSON.parse(body.slice(from, to).toString());
    } catch (e) {
        return undefined;
    }
}

export default {route, models};
