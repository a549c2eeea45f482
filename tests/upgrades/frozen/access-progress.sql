CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    inserted_offset INTEGER NOT NULL
);
