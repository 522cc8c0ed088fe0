"""Makes flats.csv: 400 flats with a rent that follows a formula, some noise, and cells that nobody filled in. All of it is invented."""

import csv
import datetime
import pathlib
import random

random.seed(7)
DISTRICTS = {"Altstadt": 4.0, "Hafen": 2.5, "Nordend": 1.5, "Südpark": 3.0, "Weststadt": 0.0}
HEATING = {"gas": 0.0, "district": 0.5, "heat pump": 1.5, "oil": -0.5}

rows = []
for _ in range(400):
    size = round(random.uniform(25, 140), 1)
    district, heating = random.choice(list(DISTRICTS)), random.choice(list(HEATING))
    built, balcony = random.randint(1900, 2023), random.random() < 0.5
    listed = datetime.date(2024, 1, 1) + datetime.timedelta(days=random.randrange(366))
    square = 9 + DISTRICTS[district] + HEATING[heating] + (built - 1900) / 60 + 0.8 * balcony + listed.month / 24
    rent = size * square + random.gauss(0, 25)
    row = [size, district, heating, built, "yes" if balcony else "no", listed.isoformat(), round(rent)]
    for i, share in [(2, 0.08), (3, 0.1), (4, 0.05)]:
        if random.random() < share:
            row[i] = ""
    rows.append(row)
with open(pathlib.Path(__file__).with_name("flats.csv"), "w", newline="", encoding="utf-8") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["size", "district", "heating", "built", "balcony", "listed", "rent"])
    out.writerows(rows)
