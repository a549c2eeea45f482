CREATE TABLE applied (key BLOB PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE dead_letters (
    offset INTEGER NOT NULL,
    place INTEGER NOT NULL,
    letter BLOB NOT NULL,
    PRIMARY KEY (offset, place)
);

CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    inserted_offset INTEGER NOT NULL,
    intended_offset INTEGER NOT NULL
);
