"""What `check` saw of a model that talks: how far its tokens agree with the original's, and a chat through the page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

Action = Literal["sent", "stopped", "answered again"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class PartingEntry(_Part):
    """Where the page's greedy answer leaves the original's. `margin` and `allowed` are in nats."""

    token: int = Field(description="how many tokens agree before it")
    margin: float = Field(description="by how much the original found its own token likelier than the next best")
    allowed: float = Field(description="a smaller margin is nearer than this page's arithmetic can tell")
    original: str
    page: str

    @property
    def excused(self) -> bool:
        """Whether the two tokens are too near to each other for the difference to mean anything."""
        return self.margin <= self.allowed


class GreedyEntry(_Part):
    """The page's own answer, always the likeliest token, beside the original's, token by token until they part."""

    recorded: int = Field(description="tokens of the original's answer")
    compared: int = Field(description="tokens that the page was given the time for, up to where they part")
    agreed: int
    parting: PartingEntry | None = None

    @property
    def good(self) -> bool:
        """Whether they agree, or part only where rounding decides."""
        return self.parting is None or self.parting.excused


class AgreementEntry(_Part):
    """How often the page takes the original's token: given the tokens before (top-1), and by itself (greedy)."""

    positions: int
    agreed: int
    greedy: GreedyEntry | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def top_1_agreement(self) -> float:
        """Share of the scored positions where the likeliest token is the original's, 0 to 1."""
        return round(self.agreed / self.positions, 6) if self.positions else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def greedy_agreement(self) -> float | None:
        """Share of the compared tokens of the greedy answer that are the original's, 0 to 1."""
        return round(self.greedy.agreed / self.greedy.compared, 6) if self.greedy and self.greedy.compared else None


class TurnEntry(_Part):
    """One answer in the chat on the page, as its visitor got it."""

    action: Action
    asked: str
    answer: str
    ending: str = Field(description="as the page has it: stop, length, full, stopped")
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_ms: float = 0.0
