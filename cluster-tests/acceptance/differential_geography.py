"""The commands on positions for differential.py: a family of generators beside those of differential_commands.py.

Members stand close together around a few places, some of them where maps end, so that a search meets borders of cells,
the poles and the 180th meridian. Redis leaves it open which of several members at the same distance a COUNT takes, so hardly
two share a cell but in sets of which no count is asked. No command adds more members at once than a small set holds: 7.2
takes a set for a big one then, and 7.0 does not.
"""
from differential_commands import ALL_KEYS, FAMILIES, d, f, flags, k, pick, rng, several

PLACES = [f"g{n}" for n in range(4)]
# Members of any score, which ZADD puts there, and of equal positions; and members with distances for scores.
ANYWHERE, DISTANCES = "g-any", "g-far"
ALL_KEYS.update([*PLACES, ANYWHERE, DISTANCES])
HUBS = [(0, 0), (13.361389, 38.115556), (15, 37), (-122.4, 37.7), (179.99, 10), (-179.98, -60), (100, 84.9), (-70, -84.95), (-179.9, -85), (25, 66.01)]
UNITS = ["m", "m", "km", "km", "KM", "ft", "mi", "Mi"]


def place():
    """A longitude and a latitude; nearly never one that another member has."""
    longitude, latitude = rng.choice(HUBS)
    spread = 10 ** rng.uniform(-2, 1.5)
    longitude, latitude = rng.gauss(longitude, spread), rng.gauss(latitude, spread / 2)
    if rng.random() < 0.97:
        longitude, latitude = max(-179.999, min(179.999, longitude)), max(-85.05, min(85.05, latitude))
    return [f"{longitude:.{rng.choice([6, 9, 15])}f}", f"{latitude:.{rng.choice([6, 9, 15])}f}"]


def center():
    if rng.random() < 0.05:
        return [pick(["180", "-180", "0", "181", "1e3", "x"], [d()]), pick(["85.05112878", "-85.05112878", "0", "90", "x"], [d()])]
    return place()


def member():
    return pick([f"m{rng.randint(0, 60)}"] * 5, [f()])


def measure():
    if rng.random() < 0.06:
        return pick(["0", "-1", "-0", "x", "", "inf", "nan", "1e400", "1e300", "1e-300"], [d()])
    return f"{10 ** rng.uniform(-2, rng.choice([3, 5, 7.5])):.{rng.choice([0, 3, 10])}f}"


def unit():
    return rng.choice(UNITS) if rng.random() < 0.97 else rng.choice(["yd", "", "kms"])


def places():
    return rng.choice(PLACES) if rng.random() < 0.93 else rng.choice([k(), "g-none"])


def add():
    some = rng.randint(1, 5) if rng.random() < 0.96 else rng.randint(60, 128)
    words = [word for _ in range(some) for word in [*(place() if rng.random() < 0.99 else center()), member() if some < 9 else f"m{rng.randint(0, 400)}"]]
    if rng.random() < 0.03:
        words.pop(rng.randrange(len(words)))
    return ["GEOADD", places(), *flags("NX", "XX", "CH", "ch", *(["GT"] if rng.random() < 0.05 else [])), *words]


def add_anywhere():
    if rng.random() < 0.5:
        return ["GEOADD", ANYWHERE, *rng.choice([["0", "0"], ["180", "85.05112878"], ["-180", "-85.05112878"], ["180", "0.5"], place()]), member()]
    score = rng.choice([str(rng.randint(0, 2**52)), str(rng.randint(-9, 9)), "1.5", "-inf", "inf", "9e18", "-9e18", "1e19", "1e20", str(2**52 - 1), str(2**53)])
    return ["ZADD", ANYWHERE, score, member()]


def options(counts=True):
    count = []
    if counts and rng.random() < 0.4:
        count = ["COUNT", rng.choice(["1", "2", "5", "20", "1000", "0", "-1", "x", "9223372036854775807"]), *(["ANY"] if rng.random() < 0.3 else [])]
    if counts and rng.random() < 0.02:
        count = rng.choice([["COUNT"], ["ANY"], ["ANY", "COUNT", "3"]])
    words = [count, flags(rng.choice(["ASC", "DESC", "asc"]), *(["FOO"] if rng.random() < 0.02 else [])), flags("WITHDIST", "WITHHASH", "withcoord")]
    rng.shuffle(words)
    return [word for part in words for word in part]


def destination():
    stores = ["STORE", rng.choice([*PLACES[:3], k()])], ["storedist", DISTANCES]
    return [word for part in rng.choices(stores, k=rng.choice([1] * 9 + [2])) for word in part]


def storing():
    """Options of what stores, which are no WITHs."""
    words = [word for word in options() if rng.random() < 0.05 or not word.upper().startswith("WITH")]
    return words if rng.random() < 0.02 else [*words, *destination()]


def older(key, counts=True):
    by_member = rng.random() < 0.4
    name = "GEORADIUSBYMEMBER" if by_member else "GEORADIUS"
    words = [*([member()] if by_member else center()), measure(), unit()]
    if counts and rng.random() < 0.25:
        return [name, key, *words, *storing()]
    return [name + rng.choice(["", "_RO"]), key, *words, *options(counts), *(destination() if rng.random() < 0.01 else [])]


def newer(key, counts=True):
    from_where = rng.choice([["FROMMEMBER", member()], ["FROMLONLAT", *center()], ["fromlonlat", *center()]])
    extent = rng.choice([["BYRADIUS", measure(), unit()], ["BYBOX", measure(), measure(), unit()]])
    target = rng.choice([*PLACES[:3], k(), DISTANCES, DISTANCES]) if counts and rng.random() < 0.25 else None
    rest = options(counts)
    if target:
        rest = [word for word in rest if not word.upper().startswith("WITH")] + (["STOREDIST"] if target == DISTANCES else [])
    parts = [from_where, extent, rest]
    if rng.random() < 0.03:
        parts.append(rng.choice([from_where, extent, ["FROMMEMBER", member()], ["BYBOX", "1", "1", "km"], ["STORE", "g0"]]))
    if rng.random() < 0.03:
        parts.pop(rng.randrange(2))
    rng.shuffle(parts)
    words = [word for part in parts for word in part]
    return ["GEOSEARCHSTORE", target, key, *words] if target else [rng.choice(["GEOSEARCH", "geosearch"]), key, *words]


def pair(key):
    return ["GEODIST", key, member(), member(), *rng.choice([[], [], [unit()], [unit(), "m"] if rng.random() < 0.1 else []])]


FAMILIES["geography"] = [
    add,
    add,
    add_anywhere,
    lambda: older(places()),
    lambda: older(places()),
    lambda: newer(places()),
    lambda: newer(places()),
    lambda: rng.choice([older, newer])(rng.choice([ANYWHERE, DISTANCES]), counts=False),
    lambda: ["GEOPOS", places(), *several(member)],
    lambda: ["GEOHASH", places(), *several(member)],
    lambda: [rng.choice(["GEOPOS", "GEOHASH"]), *rng.choice([[ANYWHERE, *several(member)], [places()], []])],
    lambda: pair(places()),
    lambda: pair(ANYWHERE),
    lambda: ["ZREM", places(), *several(member)],
    lambda: ["ZRANGE", rng.choice([places(), DISTANCES]), "0", "-1", *flags("WITHSCORES")],
    lambda: ["OBJECT", "ENCODING", places()],
    lambda: ["DEL", rng.choice([*PLACES, ANYWHERE])] if rng.random() < 0.15 else ["SET", k(), "a string"],
]
