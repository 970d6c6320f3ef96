"""The canonical tables, column by column: `decisions` has a row per choice, `games` one per match.

Everything that is exported is a view of them, joined by `decision_id`. A row is a plain dict with every column of
its table in this order, values as the type says or None where nothing is known. Lists keep one element type, and
whatever has no fixed shape is JSON in a string, because readers of Parquet and of `datasets` guess otherwise.

`state` is the whole position, hidden cards included, from which the engine goes on (`engine.from_bytes`); `facts`
is what the seat knew. What is meant for training speaks of `facts` and the prompts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Row = dict[str, Any]
Type = Literal["string", "int", "float", "bool", "ints", "floats", "strings"]


class Column(NamedTuple):
    type: Type
    about: str


VERSION = 1  # of these tables; a column that changes its meaning makes it another

DECISIONS: Mapping[str, Column] = {
    # which one
    "decision_id": Column("string", "the one id of this decision in all formats; sorts in playing order"),
    "run_id": Column("string", "the run it was made in"),
    "match_id": Column("string", "the play of a game it was made in: a row of games"),
    "pair_id": Column("string", "the matches from one deal with the same players: the unit of error"),
    "deal": Column(
        "string", "what is equal for matches that began alike: game, variant, seed and opening, hashed"
    ),
    "seed": Column("int", "of the deal"),
    "game": Column("string", "the rules: connect4"),
    "variant": Column("string", "JSON: the parameters of the game"),
    "rules_version": Column("string", "hash of the rules as they are told"),
    "ply": Column("int", "how many moves were made before, 0 at the beginning"),
    "seat": Column("int", "whose turn it was, from 0"),
    "n_players": Column("int", "how many seats the game has"),
    # the position
    "position_hash": Column("string", "equal for equal positions, whatever led to them"),
    "position_class": Column("string", "equal for positions that are the same up to a symmetry of the game"),
    "infoset_hash": Column("string", "equal where the seat to move knows the same up to a symmetry"),
    "state": Column("string", "hex: the whole position with its history, as engine.from_bytes reads it"),
    "facts": Column("string", "JSON: what the seat to move knew, structured"),
    "legal_actions": Column("ints", "ids of the legal moves"),
    "legal_texts": Column("strings", "their notation, in the same order"),
    # what was asked and answered
    "system_prompt": Column("string", "as it was sent; of who was not asked in words: as this export asks"),
    "prompt": Column("string", "likewise, the question"),
    "prompt_template": Column("string", "style and track"),
    "prompt_sha": Column("string", "hash of every template that took part"),
    "response": Column("string", "the last answer, as it came; null where no words were asked for"),
    "first_response": Column("string", "the first answer, where it was refused and another one asked for"),
    "rationale": Column("string", "what the answer says before the move"),
    "reasoning": Column(
        "string", "the thoughts that came with the last answer, as far as the service shows them"
    ),
    "reasoning_kind": Column("string", "raw, summary, solver (made from exact values) or none"),
    "action": Column("int", "what was played; null where the match was forfeited"),
    "action_text": Column("string", "its notation"),
    "action_index": Column("int", "its place among legal_actions"),
    "parse_status": Column("string", "ok, reasked, fallback or forfeit"),
    "attempt": Column("int", "how many answers were asked for"),
    "legal_first_try": Column("bool", "whether the first answer was a legal move"),
    "was_fallback": Column("bool", "whether chance moved for the player"),
    "forecast": Column("float", "the score that the player expected, 0 to 1"),
    "policy": Column("floats", "the player's own probability of each legal action, in their order"),
    "stated_action": Column(
        "int",
        "the move that the text commits to, where it commits to one; -1: to several others, or to no legal one",
    ),
    # who
    "player": Column("string", "its canonical spec"),
    "player_hash": Column("string", "equal for players that play alike"),
    "player_kind": Column("string", "model, bot, policy or human"),
    "provider": Column("string", "of a model"),
    "model_requested": Column("string", "the model that was asked for"),
    "model_reported": Column("string", "the model that answered, as the service named it, with its date"),
    "sampling": Column("string", "JSON: effort, temperature and what else was set"),
    "opponents": Column("strings", "specs of the others, by seat"),
    "terms_id": Column("string", "whose terms the answer is under: an entry of terms.toml"),
    "created_at": Column("float", "when it was made, Unix seconds"),
    "framework_version": Column("string", "the version of duelist that recorded it"),
    # what it took
    "tokens_in": Column("int", "of the answered calls, cached ones too"),
    "tokens_cached": Column("int", "of these, read from a cache"),
    "tokens_reasoning": Column("int", "of tokens_out, those thought"),
    "tokens_out": Column("int", "of the answered calls"),
    "cost_usd": Column("float", "of the answered calls"),
    "cost_source": Column("string", "table (our prices), unknown, or none: nothing was asked"),
    "latency_ms": Column("float", "of the answered calls"),
    # how good it was
    "value_solver": Column("float", "what the position was worth, -1 to 1; exact"),
    "q_solver": Column("floats", "what each legal action was worth; exact"),
    "regret_solver": Column("float", "what the played action gave away, 0 to 2; exact"),
    "agrees_solver": Column("bool", "whether nothing was better; exact"),
    "q_search": Column("floats", "as q_solver, by a search"),
    "visits": Column("ints", "simulations behind each of q_search"),
    "search": Column("string", "the search and its budget: shares:10000?c=1.4"),
    "regret_search": Column("float", "as regret_solver, by that search"),
    "agrees_search": Column("bool", "as agrees_solver, by that search"),
    "best_actions": Column(
        "ints", "the legal actions that nothing beats; by a solver if one reached, else a search"
    ),
    "difficulty": Column("float", "their share of the legal actions: 1 where nothing could go wrong"),
    "outcome": Column(
        "float", "the mover's result, -1 to 1: won 1, drawn 0; at a table its score, scaled alike"
    ),
    "plies_left": Column("int", "how many moves the match still had, this one too"),
    "rating": Column("float", "the player's Elo over the exported runs, within its game and track"),
    "rating_se": Column("float", "the standard error of that"),
    # the export
    "split": Column("string", "train, validation or test"),
    "dedup_group": Column("string", "equal for rows that say the same: only one of them is kept"),
    "dedup_count": Column("int", "how many said it"),
    "weight": Column("float", "how much it is to count, 1 as a rule"),
}

GAMES: Mapping[str, Column] = {
    "match_id": Column("string", "the play of a game; sorts in playing order"),
    "run_id": Column("string", "the run it belongs to"),
    "pair_id": Column("string", "the matches from one deal with the same players"),
    "deal": Column("string", "as in decisions"),
    "seed": Column("int", "of the deal"),
    "game": Column("string", "the rules"),
    "variant": Column("string", "JSON: the parameters of the game"),
    "n_players": Column("int", "how many seats"),
    "opening": Column("ints", "moves that nobody chose"),
    "players": Column("strings", "specs, by seat"),
    "player_kinds": Column("strings", "model, bot, policy or human, by seat"),
    "actions": Column("ints", "every move from the beginning, the opening too"),
    "action_texts": Column("strings", "their notation"),
    "seats": Column("ints", "who made each of them"),
    "plies": Column("int", "how many"),
    "scores": Column("floats", "by seat: the share of opponents beaten, ties half"),
    "points": Column("floats", "by seat what the game paid; empty after a forfeit"),
    "forfeit": Column("string", "why somebody forfeited; empty where nobody did"),
    "started_at": Column("float", "Unix seconds"),
    "finished_at": Column("float", "Unix seconds"),
    "cost_usd": Column("float", "of all its answered calls"),
    "split": Column("string", "where a split is by match, pair or deal: its part; else empty"),
}
