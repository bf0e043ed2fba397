"""Worker of the example flask_orm: a Flask application whose table lies in a file that all servers share."""

from __future__ import annotations

import os

from flask import Flask, Response, jsonify, request
from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

DATABASE = "FLASK_ORM_DATABASE"  #: the variable of the environment that names the file
BUSY_SECONDS = 30  #: how long a writer waits for the others

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Base(DeclarativeBase):
    """The tables."""


class Listener(Base):
    """Who listens to what; and which server has written it."""

    __tablename__ = "listener"

    id: Mapped[int] = mapped_column(primary_key=True)
    station: Mapped[str]
    port: Mapped[int]
    pid: Mapped[int]


def open_database(file: str) -> Engine:
    """The file, where readers and a writer do not wait for each other."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def together(connection: Any, record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")

    return engine


def create_tables(file: str) -> None:
    """Make the tables once, before any server starts: servers that did it themselves would race."""
    engine = open_database(file)
    Base.metadata.create_all(engine)
    engine.dispose()


def create_app() -> Flask:
    """The application; called in each process, which may serve several ports with it."""
    app = Flask(__name__)
    engine = open_database(os.environ[DATABASE])

    @app.get("/listen/<station>")
    def listen(station: str) -> Response:
        port = int(request.environ["SERVER_PORT"])
        with Session(engine) as session:
            listener = Listener(station=station, port=port, pid=os.getpid())
            session.add(listener)
            session.commit()
            return jsonify(id=listener.id, port=port, pid=os.getpid())

    @app.get("/")
    def overview() -> Response:
        query = select(Listener.pid, Listener.port, func.count()).group_by(Listener.pid, Listener.port)
        with Session(engine) as session:
            found = [
                {"pid": pid, "port": port, "listeners": count} for pid, port, count in session.execute(query)
            ]
        return jsonify(found)

    return app
