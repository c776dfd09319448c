import asyncio, os, socket, subprocess, sys, time
import httpx
from uuid import uuid4
from services.notify import jobs
from services.notify.handlers import triggers
from tests.service.notify.conftest import *  # noqa
from tests import builders

async def test_live(make_database_url):
    url = await make_database_url("notify")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    env = os.environ | {"NOTIFY_DATABASE_URL": url, "NOTIFY_PORT": str(port), "NOTIFY_UNSUBSCRIBE_KEY": "ab"*32}
    p = subprocess.Popen([sys.executable, "-m", "services.notify", "api"], env=env, cwd="/work/main", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    j = subprocess.Popen([sys.executable, "-m", "services.notify", "jobs"], env=env, cwd="/work/main", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as c:
            for _ in range(100):
                try:
                    r = await c.get("/health/ready"); print(r.status_code, r.text[:200]); break
                except httpx.ConnectError: await asyncio.sleep(0.2)
            from services.notify.context import Links
            from services.notify.domain.tokens import Leave
            path = Links("", (bytes.fromhex("ab"*32),)).unsubscribe(Leave(uuid4(),"offers","email",uuid4()))
            r = await c.post(path, files={"List-Unsubscribe": (None,"One-Click")}); print(r.status_code, dict(r.headers))
            r = await c.get("/v1/members/x/inbox"); print(r.status_code, r.text[:200])
        await asyncio.sleep(3)
        print("jobs alive", j.poll())
    finally:
        for x in (p, j):
            x.terminate(); out,_ = x.communicate(timeout=20); print(out.decode()[-1500:])

async def test_speed(notify):
    members = [await notify.enrol() for _ in range(200)]
    evs = [builders.offer_issued(offer_id=uuid4(), member_id=m) for m in members for _ in range(5)]
    t=time.perf_counter(); await notify.feed("offers", *evs[:500]); await notify.feed("offers", *evs[500:]); print("1000 offers", time.perf_counter()-t)
    pts=[builders.points_earned(member_id=m) for m in members for _ in range(20)]
    t=time.perf_counter()
    for i in range(0,4000,500): await notify.feed("loyalty", *pts[i:i+500])
    print("4000 points fed", time.perf_counter()-t)
    notify.clock.advance(notify.context.dispatch.collect)
    t=time.perf_counter(); n=await jobs.deliver_inbox(notify.context); print(n,"inbox", time.perf_counter()-t)
    t=time.perf_counter(); n=await jobs.dispatch_mail(notify.context); print(n,"mail", time.perf_counter()-t, len(notify.post.mails))
