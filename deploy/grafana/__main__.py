"""`python -m deploy.grafana` writes the dashboards that Grafana reads, and the page about them."""

from deploy.grafana import writing

if __name__ == "__main__":
    for file, content in writing.files().items():
        file.write_text(content)
        print(f"wrote {file}")
