"""Send messages to a backend in batches of bounded size."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from realtime.backends.outbox.queue import Sender
from realtime.backends.outbox.stats import metrics
from realtime.exceptions import InvalidMessage, NotSent, PartlySent
from realtime.messages.message import Message, Reset

logger = logging.getLogger("realtime.outbox")

BATCH_SIZE = 500
"""Messages in one call of a backend's `send()`, so that its own timeout can be short."""


def send_all(pubsub: Sender, messages: Sequence[Message]) -> None:
    """Send all messages in their order, or raise NotSent.

    Raise PartlySent at the end if a part of the backend did not take its share.
    """
    unsent: list[object] = []
    why = ""
    for start in range(0, len(messages), BATCH_SIZE):
        try:
            _send(pubsub, messages[start : start + BATCH_SIZE])
        except PartlySent as error:
            unsent += error.unsent
            why = str(error)
    if unsent:
        raise PartlySent(why, unsent)


def _send(pubsub: Sender, messages: Sequence[Message]) -> None:
    try:
        pubsub.send(messages)
    except PartlySent:
        raise
    except InvalidMessage:
        if len(messages) > 1:
            for message in messages:
                _send(pubsub, [message])
        else:
            _send_reset(pubsub, messages[0])
    except Exception as error:
        raise NotSent(f"{type(error).__name__}: {error}") from error


def _send_reset(pubsub: Sender, message: Message) -> None:
    """Reset the topic of a message that the backend refuses, so that it blocks no other message."""
    metrics.count("refused")
    logger.error("the backend refused a message; its topic %s is reset", message.topic)
    try:
        pubsub.send([Message(message.topic, reset=Reset.OVERFLOW)])
    except InvalidMessage:
        logger.exception(
            "the backend refused a reset of %s; its clients may be stale", message.topic
        )
    except Exception as error:
        raise NotSent(f"{type(error).__name__}: {error}") from error
