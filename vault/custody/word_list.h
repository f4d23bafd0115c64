// 256 words to read digests aloud by: 3 to 8 letters, no two with the same first three.
#pragma once

#include <array>
#include <string_view>

namespace cardvault::custody {

inline constexpr std::array<std::string_view, 256> kWords = {
    "acid",    "actor",    "adult",   "agent",    "alarm",   "album",   "amber",    "angle",
    "apple",   "april",    "arrow",   "atlas",    "autumn",  "avenue",  "axis",     "bacon",
    "badge",   "baker",    "bamboo",  "banjo",    "barrel",  "basket",  "beacon",   "beetle",
    "berry",   "bishop",   "blanket", "blossom",  "boat",    "bonfire", "border",   "bottle",
    "bread",   "brick",    "bronze",  "bucket",   "buffalo", "button",  "cabin",    "cactus",
    "camel",   "candle",   "carbon",  "castle",   "cedar",   "cellar",  "cement",   "chalk",
    "cherry",  "chimney",  "cider",   "cinema",   "circus",  "clover",  "cobalt",   "coffee",
    "compass", "copper",   "coral",   "cotton",   "crater",  "cricket", "crystal",  "cushion",
    "daisy",   "dance",    "debate",  "december", "denim",   "desert",  "diamond",  "dinner",
    "doctor",  "dolphin",  "donkey",  "dragon",   "duck",    "eagle",   "earth",    "echo",
    "eclipse", "editor",   "elbow",   "eleven",   "ember",   "engine",  "envelope", "estate",
    "evening", "exit",     "fabric",  "falcon",   "family",  "farmer",  "feather",  "fence",
    "fiddle",  "figure",   "finger",  "flame",    "flute",   "forest",  "fossil",   "fountain",
    "friday",  "frog",     "fruit",   "gadget",   "galaxy",  "garden",  "general",  "ghost",
    "giant",   "ginger",   "glacier", "glove",    "goblet",  "golden",  "grape",    "guitar",
    "habit",   "hammer",   "harbor",  "hazel",    "heaven",  "helmet",  "honey",    "hotel",
    "hunter",  "iceberg",  "image",   "indigo",   "iris",    "island",  "ivory",    "jacket",
    "jaguar",  "jelly",    "jigsaw",  "jockey",   "jungle",  "jury",    "kayak",    "kernel",
    "kettle",  "kidney",   "kingdom", "kitchen",  "koala",   "ladder",  "lagoon",   "lantern",
    "latch",   "lemon",    "leopard", "library",  "lizard",  "lobster", "locket",   "lumber",
    "lunch",   "magnet",   "maple",   "meadow",   "melon",   "mercury", "metal",    "midnight",
    "mirror",  "mosaic",   "motor",   "muffin",   "museum",  "mystery", "napkin",   "needle",
    "nickel",  "noble",    "noodle",  "north",    "number",  "oasis",   "ocean",    "october",
    "olive",   "omega",    "onion",   "opera",    "orange",  "orbit",   "orchid",   "otter",
    "oval",    "oxygen",   "paddle",  "palace",   "panther", "parrot",  "pebble",   "pelican",
    "pencil",  "piano",    "pigeon",  "pilot",    "pirate",  "planet",  "plum",     "pocket",
    "poem",    "potato",   "pyramid", "queen",    "rabbit",  "radio",   "rainbow",  "raven",
    "recipe",  "ribbon",   "river",   "robin",    "rocket",  "ruby",    "saddle",   "salmon",
    "satin",   "school",   "seven",   "shadow",   "shelter", "silver",  "siren",    "smoke",
    "soda",    "spider",   "tablet",  "tango",    "thunder", "tiger",   "timber",   "tulip",
    "turtle",  "umbrella", "uncle",   "union",    "urban",   "vacuum",  "valley",   "velvet",
    "violin",  "wagon",    "walnut",  "water",    "willow",  "yellow",  "zebra",    "zipper",
};

}  // namespace cardvault::custody
