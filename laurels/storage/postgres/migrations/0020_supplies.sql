-- pre: older versions refuse a catalog in which a badge has a supply.

-- How many copies of each badge with a limited supply are taken, under the catalog in force. It follows from the awards.
CREATE TABLE supplies (
    badge TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    taken BIGINT           NOT NULL
);
