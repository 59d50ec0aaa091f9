"""`soloist market-sim`."""

import sys
from typing import Annotated

import typer

from soloist.commands.console import Code, Failure, say


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8700,
    clients: Annotated[int, typer.Option(min=0, max=100_000, help="Clients of each freelancer.")] = 60,
    seed: Annotated[int, typer.Option(help="Another number gives other people.")] = 1,
    token: Annotated[
        list[str] | None,
        typer.Option(help="A freelancer's token; may be given several times.", show_default="market-demo"),
    ] = None,
) -> None:
    """Start a Market with invented data, to try Soloist's connection to one: for demos and tests, not for the network.

    It keeps Soloist's Market contract and describes itself at /openapi.json. It stores nothing: what is changed
    through /admin is gone when it stops.
    """
    from soloist.commands.process import run_app
    from soloist.commands.running import stoppable
    from soloist.commands.serving import listen
    from soloist.infra import logs
    from soloist.market.simulator import create_simulator

    tokens = tuple(dict.fromkeys(token or ["market-demo"]))
    if not all(one.isascii() and one.isprintable() and one.strip() == one != "" for one in tokens):
        raise Failure("A token is made of visible ASCII characters.", "try --token market-demo", Code.USAGE)
    logs.configure("text", "warning", sys.stdout)
    with stoppable(), listen(host, port) as listener:
        app = create_simulator(tokens, clients=clients, seed=seed)
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"

        def announce() -> None:
            say(f"The Market is at {url}, and described at {url}/openapi.json")
            for one in tokens:
                say(f"  token  {one}")
            sys.stdout.flush()

        run_app(app, listener, announce)
