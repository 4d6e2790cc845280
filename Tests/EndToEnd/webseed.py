"""nginx as a web seed."""
import contextlib
import shutil
import subprocess
import tempfile
import urllib.request

from harness import eventually


@contextlib.contextmanager
def serve(address, root, port=8088):
    """nginx at this address, with what lies in the folder; its URL."""
    directory = tempfile.mkdtemp()
    configuration = f"""
        daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error; user root;
        events {{ worker_connections 64; }}
        http {{
          access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
          uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
          server {{ listen {address}:{port}; root {root}; }}
        }}"""
    path = f"{directory}/nginx.conf"
    with open(path, "w") as file:
        file.write(configuration)
    process = subprocess.Popen(["/usr/sbin/nginx", "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{address}:{port}"

    def is_up():
        assert process.poll() is None, open(f"{directory}/error").read()
        try:
            opener.open(url + "/", timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
    try:
        eventually(is_up)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)
